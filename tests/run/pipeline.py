"""Carries out the examples of tools/ci as the engines would, as far as a machine without them can.

    pipeline.py TREE COMMAND

Each job has a directory of its own with what is checked out, and a shell for each step; artifacts
go between them as the engine has it. Installing and building are left out, and so are lines of
commands that this xensock does not have. What the files say (shards, artifacts) must fit together.
"""
import os
import re
import shutil
import subprocess
import sys

import yaml

TREE, COMMAND = sys.argv[1:3]
LEFT_OUT = ("tools/packages.sh", "cmake ")


def load(name):
    with open(f"{TREE}/tools/ci/{name}", encoding="utf-8") as file:
        return yaml.safe_load(file)


def has(line):
    """Whether xensock has the commands of a line."""
    return all(subprocess.run([COMMAND, word, "--help"], capture_output=True, check=False).returncode == 0
               for word in re.findall(r"xensock (\w+)", line))


def check_out(job):
    os.makedirs(f"{job}/build/release")
    os.symlink(COMMAND, f"{job}/build/release/xensock")
    os.symlink(f"{TREE}/scenarios", f"{job}/scenarios")
    if os.path.isdir("baselines"):
        os.symlink(os.path.abspath("baselines"), f"{job}/baselines")


def run(job, script, **env):
    """The lines of a step, one shell; how many xensock commands of it were run."""
    lines = [line for line in script.splitlines() if not line.startswith(LEFT_OUT)]
    kept = [line for line in lines if has(line)]
    for line in lines:
        if line not in kept:
            print("not yet:", line)
    done = subprocess.run(["sh", "-e", "-c", "\n".join(kept)], cwd=job, env={**os.environ, **env},
                          capture_output=True, text=True, timeout=50, check=False)
    if done.returncode != 0:
        sys.exit(f"{job}: exit code {done.returncode}: {script}\n{done.stdout}{done.stderr}")
    return sum("xensock " in line for line in kept)


def github():
    flow = load("github.yml")
    env = {**flow["env"], "GITHUB_STEP_SUMMARY": os.path.abspath("summary.md")}
    shard, study = flow["jobs"]["shard"], flow["jobs"]["study"]
    shards = shard["strategy"]["matrix"]["shard"]
    count = 0
    for number in shards:
        job = f"github-{number}"
        check_out(job)
        for step in shard["steps"]:
            fill = lambda text: text.replace("${{ matrix.shard }}", str(number))
            if "run" in step:
                count += run(job, fill(step["run"]), **env)
                of = re.search(r"--shard \S+ ?\S* ?\S*/(\d+)", step["run"])
                assert not of or int(of.group(1)) == len(shards), step
            elif "upload" in step["uses"]:
                shutil.copytree(f"{job}/{step['with']['path']}", f"artifacts/{fill(step['with']['name'])}")
    check_out("github")
    assert study["needs"] == "shard"
    for step in study["steps"]:
        if "run" in step:
            count += run("github", step["run"], **env)
        elif "download" in step["uses"]:
            prefix = step["with"]["pattern"].rstrip("*")
            for name in os.listdir("artifacts"):
                assert name.startswith(prefix), name
            shutil.copytree("artifacts", f"github/{step['with']['path']}")
        elif "upload" in step["uses"]:
            assert os.path.isdir(f"github/{step['with']['path']}")
    return count


def gitlab():
    flow = load("gitlab.yml")
    shard, study = flow["shard"], flow["study"]
    count = 0
    os.mkdir("kept")
    assert flow["stages"] == [shard["stage"], study["stage"]]
    for number in range(1, shard["parallel"] + 1):
        job = f"gitlab-{number}"
        check_out(job)
        env = {**flow["variables"], "CI_NODE_INDEX": str(number), "CI_NODE_TOTAL": str(shard["parallel"])}
        for line in flow[".xensock"]["before_script"] + shard["script"]:
            count += run(job, line, **env)
        for path in shard["artifacts"]["paths"]:
            shutil.copytree(f"{job}/{path}", f"kept/{path}", dirs_exist_ok=True)
    check_out("gitlab")
    shutil.copytree("kept", "gitlab", dirs_exist_ok=True)
    for line in flow[".xensock"]["before_script"] + study["script"] + study["after_script"]:
        count += run("gitlab", line, **flow["variables"])
    assert os.path.isfile(f"gitlab/{study['artifacts']['reports']['junit']}")
    assert study["allow_failure"]["exit_codes"] == [4]
    return count


if __name__ == "__main__":
    print("github:", github(), "commands")
    print("gitlab:", gitlab(), "commands")
