"""Holds the JSON Schemas of xensock against xensock itself, by a validator that is not ours.

    schema_check.py scenarios SCHEMA COMMAND A B FILE...
    schema_check.py results SCHEMA RESULT...

Of scenarios, A and B have each key of the schema, and A is also tried with a fault at each; of results
the first is.

What `xensock check` takes the schema takes; what check refuses for its shape (a key unknown, missing
or not of this kind, a value of another type, a word or number that is none) the schema refuses.
"""
import copy
import json
import re
import subprocess
import sys

import jsonschema
import yaml

from yaml12 import read_yaml

# Faults that a row of the tables alone says, as check words them.
SHAPE = (r"E0101", r"E0103]: .* has no '\w+'$", r"E0104", r"E0105]: '\w+' is '", r"E0106", r"E0108",
         r"E0111]: '\w+' does not go with kind '")
# How a description begins if the annotated scenario says nothing of the key.
TYPES = (r"a (name of|text$|word$|whole number|list$|mapping of|(duration|size|rate|bandwidth|share) "
         r"such)|an address such|the number of a CPU")
# Rules of a text, not of its type: the code of an error, the path of an axis.
LEFT_OUT = r"\]: 'error' is '|unknown key '(7|Wrong)"


def validator(path):
    with open(path, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def is_shape(line):
    return any(re.search(fault, line) for fault in SHAPE) and not re.search(LEFT_OUT, line)


def verdicts(command, names):
    """Of each file, by check: None if it is good, else its errors."""
    done = subprocess.run([command, "check", "--quiet", *names], capture_output=True, text=True,
                          timeout=50, check=False)
    assert done.returncode in (0, 3), done
    found = {name: None for name in names}
    for line in done.stderr.splitlines():
        match = re.match(r"(.+?):\d.* error\[", line) or re.match(r"(.+?): error\[", line)
        if match:
            found[match.group(1)] = (found[match.group(1)] or []) + [line]
    return found


def places(tree, path=()):
    yield path, tree
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield from places(value, path + (key,))


def put(tree, path, change):
    """A copy of the tree with what is at the path changed."""
    tree = copy.deepcopy(tree)
    if not path:
        return change(tree, None) or tree
    at = tree
    for key in path[:-1]:
        at = at[key]
    change(at, path[-1])
    return tree


def replace(value):
    def change(at, key):
        at[key] = value
    return change


def remove(at, key):
    del at[key]


def add_key(at, key):
    (at if key is None else at[key])["colour"] = "red"


def faults(tree):
    """The tree with one fault each, of all kinds at all places."""
    swept = [axis["path"].split(".")[-1] for axis in tree["sweep"].values()]
    for number, (path, value) in enumerate(places(tree)):
        if path and path[-1] in swept:
            continue  # what the file says there is nowhere looked at
        if isinstance(value, dict):
            yield put(tree, path, add_key)
        if "values" in path:
            yield put(tree, path, replace({"x": "y"}))
        if not path or "values" in path:
            continue
        yield put(tree, path, remove)
        if re.fullmatch(r"\d+([kMG]?B|[KMG]iB)", str(value)):
            yield put(tree, path, replace("64"))  # bytes, as a string
        for wrong in ("Wrong Value!", ["x"] if number % 2 else {"x": "y"}, 7 if number % 3 else "", True):
            # `true` is a name like any other to xensock; editors had better not propose it
            if wrong != value and not (wrong is True and isinstance(value, str)):
                yield put(tree, path, replace(wrong))


def compare(schema, command, trees):
    """How many of the trees, by file name, are good, are refused, and are good in shape only."""
    counts = [0, 0, 0]
    for name, errors in verdicts(command, list(trees)).items():
        takes = schema.is_valid(trees[name])
        shape = [line for line in errors or [] if is_shape(line)]
        if errors is None:
            counts[0] += 1
            assert takes, (name, [e.message for e in schema.iter_errors(trees[name])])
        elif shape:
            counts[1] += 1
            assert not takes, (name, shape)
        else:
            counts[2] += 1
    return counts


def scenarios(schema, command, names):
    trees = {}
    for name in names:
        with open(name, encoding="utf-8", errors="replace") as file:
            try:
                trees[name] = read_yaml(file)
            except yaml.YAMLError:
                continue
    files = compare(schema, command, trees)
    bad = {}
    for i, tree in enumerate(faults(trees[names[0]])):
        bad[f"fault{i}.json"] = tree
        with open(f"fault{i}.json", "w", encoding="utf-8") as file:
            json.dump(tree, file)
    made = compare(schema, command, bad)
    assert files[0] > 20 and files[1] > 10 and made[1] > 500, (files, made)
    print("files", files, "faults", made)


def schema_keys(node, path=()):
    """Each key that the schema knows: the path of mappings it is in, lists and names left out."""
    for key, inner in node.get("properties", {}).items():
        yield path + (key,)
        yield from schema_keys(inner, path + (key,))
    for inner in [node.get("items"), node.get("additionalProperties")]:
        if isinstance(inner, dict):
            yield from schema_keys(inner, path)
    for one in node.get("anyOf", []):
        yield from schema_keys(one, ("sizes",))  # the same wherever sizes are
    for one in node.get("allOf", []):
        kind = one["if"]["properties"]["kind"]["const"]
        for found in schema_keys(one["then"], path + (f"({kind})",)):
            yield found


def used_keys(node, schema, path=()):
    """The same of a document."""
    if isinstance(node, list):
        for one in node:
            yield from used_keys(one, schema.get("items", {}), path)
    elif isinstance(node, dict) and isinstance(schema.get("additionalProperties"), dict):
        for one in node.values():
            yield from used_keys(one, schema["additionalProperties"], path)
    elif isinstance(node, dict):
        if "anyOf" in schema:
            schema, path = schema["anyOf"][-1], ("sizes",)
        for one in schema.get("allOf", []):
            if one["if"]["properties"]["kind"]["const"] == node.get("kind"):
                path += (f"({node['kind']})",)
                schema = one["then"]
        for key, value in node.items():
            yield path + (key,)
            yield from used_keys(value, schema["properties"].get(key, {}), path + (key,))


def keys(schema, names):
    bare = lambda path: tuple(part for part in path if not part.startswith("("))
    rules = schema.schema["else"]  # of a scenario without a script
    used = set()
    for name in names:
        with open(name, encoding="utf-8") as file:
            used |= {bare(path) for path in used_keys(read_yaml(file), rules)}
    known = {bare(path) for path in schema_keys(rules)}
    for path in known - used:
        print("no example of", ".".join(path))
    assert not known - used and not used - known, used - known
    for path, node in places(rules):
        if path and path[-1] == "properties" and "if" not in path:
            for key, inner in node.items():
                bare_type = re.match(TYPES, inner.get("description", ""))
                assert key in ("address", "error") or not bare_type, f"no word on {key} in the annotated one"
    print(len(known), "keys")


def results(schema, names):
    for name in names:
        with open(name, encoding="utf-8") as file:
            for error in schema.iter_errors(json.load(file)):
                sys.exit(f"{name}: {list(error.absolute_path)}: {error.message[:300]}")
    print(len(names), "results")


def refuses(schema, name):
    with open(name, encoding="utf-8") as file:
        tree = json.load(file)
    tree["points"] = tree["points"][:1]
    count = 0
    for path, value in places(tree):
        if "resolved" in path or path and path[-1] in ("counters", "axes"):
            continue
        if isinstance(value, dict) and "counters" not in path and path[-1:] not in (("metrics",), ("summary",)):
            assert not schema.is_valid(put(tree, path, add_key)), path
        if path:
            count += 1
            assert not schema.is_valid(put(tree, path, replace(1.5))), path
    print(count, "places")


if __name__ == "__main__":
    what, rules, *rest = sys.argv[1], validator(sys.argv[2]), *sys.argv[3:]
    if what == "scenarios":
        keys(rules, rest[1:3])
        scenarios(rules, rest[0], rest[1:])
    else:
        results(rules, rest)
        refuses(rules, rest[0])
