"""YAML as of 1.2, which is what xensock and editors read: `on` is a word and no boolean."""
import re

import yaml


class Reader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """PyYAML's, with other booleans."""


Reader.yaml_implicit_resolvers = {
    letter: [rule for rule in rules if rule[0] != "tag:yaml.org,2002:bool"]
    for letter, rules in Reader.yaml_implicit_resolvers.items()}
Reader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), "tf")


def read_yaml(file):
    """What is in an open file, or in a text."""
    return yaml.load(file, Loader=Reader)
