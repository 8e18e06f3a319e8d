#!/usr/bin/env python3
"""Compares `xensock decode --json` with what tshark found in the same file, packet by packet.

    compare.py fields JSON                    which fields to ask tshark for, a line each
    compare.py compare JSON FIELDS TSHARK     exit code 1 if a packet or a field differs

Every field is compared in both directions: one that only tshark finds is a difference, too.
"""
import ipaddress
import json
import re
import sys

NUMBERS = {
    "kind": {"request": 1, "response": 2, "index": 3, "notify": 4},
    "side": {"front": 0, "back": 1},
    "moved": {"published": 0, "consumed": 1, "sent": 0, "received": 1},
    "ring": {"commands": 0, "data": 1},
    "dialect": {"xensock1": 0, "pvcalls1": 1, "xensock1-compact": 2},
    "word": {"in_prod": 0, "in_cons": 1, "out_prod": 2, "out_cons": 3, "in_error": 4, "out_error": 5},
}
SAME = ("front", "back", "device", "index", "port", "moved_bytes", "sockid", "req_id", "ret", "error")
COMMON = {"id", "req_id", "cmd", "sockid"}  # rows of every request, but see row_field


def row_field(packet, name):
    """The field of a row: xensock.DIALECT.GROUP.NAME."""
    group = "request"
    if packet["kind"] == "response":
        group = "response"
    elif "." in name:
        group, name = name.split(".")
    elif name not in COMMON:
        group = packet["command"].lower()
    return f"xensock.{packet['dialect']}.{group}.{name}"


def raw_addr(packet):
    """The 28 bytes of an address that JSON has as text."""
    text = packet["fields"]["addr"]
    if ":" not in text:
        return text
    ip, _, port = text.rpartition(":")
    ip = ipaddress.ip_address(ip.strip("[]"))
    if ip.version == 4:
        return ((2).to_bytes(2, "little") + int(port).to_bytes(2, "big") + ip.packed).hex() + 40 * "0"
    return ((10).to_bytes(2, "little") + int(port).to_bytes(2, "big") + bytes(4) + ip.packed).hex() + 8 * "0"


def wanted(packet):
    """What tshark should find, as {field: text}."""
    fields = {"frame.number": packet["packet"], "frame.time_epoch":
              f"{packet['time_ns'] // 10**9}.{packet['time_ns'] % 10**9:09}"}
    for key, numbers in NUMBERS.items():
        if key in packet:
            fields["xensock." + key] = numbers[packet[key]]
    for key in SAME:
        if key in packet:
            fields["xensock." + key] = packet[key]
    if packet.get("ret", 0) < 0 or packet.get("word", "").endswith("error"):
        fields["xensock.error"] = packet.get("error", "E?")
        fields["xensock.failed" if "ret" in packet else "xensock.broken"] = 1
    if packet["kind"] == "index":
        is_error = packet["word"].endswith("error")
        fields["xensock.word_error" if is_error else "xensock.value"] = packet["value"]
    if "command" in packet:
        fields["xensock.cmd"] = packet["command"]
        for name, value in packet["fields"].items():
            fields[row_field(packet, name)] = raw_addr(packet) if name == "addr" else value
        if "addr" in packet["fields"]:
            fields["xensock.address"] = packet["fields"]["addr"]
        for name in ("accept.sockid", "id_new"):
            if name in packet["fields"]:
                fields["xensock.new_sockid"] = packet["fields"][name]
    if "request_packet" in packet:
        fields["xensock.request_in"] = packet["request_packet"]
        time_ns = packet["response_ns"]
        fields["xensock.response_time"] = f"{time_ns // 10**9}.{time_ns % 10**9:09}"
    ring = packet["sockid"] if packet["ring"] == "data" else "commands"
    fields["_ws.col.Info"] = \
        f"{ring} {packet['side']} {packet['moved']} {packet['kind']} {packet['text']}"
    return fields


def same(text, value):
    if isinstance(value, list):
        return text == ",".join(str(one) for one in value)
    if re.fullmatch("0x[0-9a-f]+", str(value)):
        return text != "" and int(text, 16) == int(value, 16)
    return text == str(value)


def load(path):
    packets = [json.loads(line) for line in open(path)]
    all_wanted = [wanted(packet) for packet in packets]
    by_number = {fields["frame.number"]: fields for fields in all_wanted}
    for packet in packets:
        if "request_packet" in packet:
            by_number[packet["request_packet"]]["xensock.response_in"] = packet["packet"]
    return all_wanted


def compare(json_path, fields_path, tshark_path):
    names = open(fields_path).read().split()
    lines = open(tshark_path).read().splitlines()
    packets = load(json_path)
    if len(lines) != len(packets):
        sys.exit(f"{len(packets)} packets, and tshark has {len(lines)}")
    for number, (line, fields) in enumerate(zip(lines, packets), 1):
        for name, text in zip(names, line.split("\t")):
            if not same(text, fields.get(name, "")):
                sys.exit(f"packet {number}: {name} is {fields.get(name, '')!r}, and to tshark {text!r}")


if __name__ == "__main__":
    if sys.argv[1] == "fields":
        print("\n".join(sorted({name for fields in load(sys.argv[2]) for name in fields})))
    else:
        compare(*sys.argv[2:])
