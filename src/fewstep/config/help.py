"""The long help of a command that takes a configuration: groups and keys, read from the files."""

from __future__ import annotations

from fewstep.config.groups import conf_dir, groups, options


def guide(command: str, examples: str, file: str) -> str:
    """What `fewstep COMMAND --help` prints.

    Args:
        command: its name.
        examples: command lines with a word on each, a line each.
        file: the configuration whose keys it takes, `train` or `evaluate`.
    """
    parts = [f"fewstep {command} [group=option ...] [key=value ...]\n", "Examples", examples]
    if file == "train":
        parts.append("Groups (group=option swaps a part; your own go in ./conf/GROUP/NAME.yaml)")
        parts += [f"  {g:<15}{', '.join(options(g))}" for g in groups() if options(g)]
        parts.append("")
    parts.append(f"Keys (key=value; fewstep {file} --cfg job prints all, with the groups' own)")
    lines = (conf_dir() / f"{file}.yaml").read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(("name:", "checkpoint:")))
    end = lines.index("hydra:")
    parts += [f"  {line}" for line in lines[start:end] if line.strip()]
    return "\n".join(parts) + "\n"
