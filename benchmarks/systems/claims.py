"""What each system must show: a table of claims, one for each line of its acceptance.

A claim is of one arm's figure, or of how far it is above another's; it says between what that must
be. Shares are in points. What is not asked for is reported in the same words.
"""

from __future__ import annotations

from itertools import pairwise

from systems.claim import Arm, Claim


def _hebbian() -> list[Claim]:
    found, chance = [], 100 / 20
    for shots in (1, 5):
        none, final, every, cheap, bound = (
            Arm(name, {"shots": shots})
            for name in ("none", "final", "every", "convolutions", "bound labels")
        )
        where = f"20-way {shots}-shot"
        found += [
            Claim(f"after every block is worse than after the final one, {where}", final, every),
            Claim(f"after the final block is better than none, {where}", final, none, asked=False),
            Claim(f"four convolutions are ahead of none, {where}", cheap, none, asked=False),
            # Nothing bound is chance by construction: all logits are 0. Far is four times that.
            Claim(f"bound labels are far above chance, {where}", bound, above=4 * chance),
        ]
    return found


def _ifwi() -> list[Claim]:
    def arm(label: str, models: str, init: str, steps: int) -> Arm:
        return Arm(label, {"dataset.models": models, "init": init, "steps": steps})

    found, learns = [], "FOMAML by velocity"
    # On anomalies `systems.run` tests what was learned, and beside it what learns nothing.
    for models, beside, where in (
        ("layers", learns, ""),
        ("anomalies", "mean ground", ", out of distribution"),
    ):
        for metric, named in (("loss", "misfit"), ("velocity_rmse", "error of the velocities")):
            learned = arm(learns, models, "trained", 5)
            random, mean = arm(beside, models, "random", 40), arm(beside, models, "start", 5)
            ahead = f"meta-learned, 5 steps are ahead of 40 from a random start, {named}{where}"
            level = f"meta-learned is ahead of the mean ground, 5 steps, {named}{where}"
            found.append(Claim(ahead, random, learned, metric, asked=not where))
            found.append(Claim(level, mean, learned, metric, asked=False))
    return found


ADAPTED = ("linear probe", "prompts of the input", "prompts of every layer", "last layer")
ADAPTED += ("all weights",)


def _rf_prompt() -> list[Claim]:
    cold, reptile, joint = (
        {name: Arm(name, {"init": init, "steps": 25}) for name in ADAPTED}
        for init in ("start", "trained", "joint")
    )
    lost = Arm("all weights", {"init": "start", "steps": 0})
    every = tuple(arms[name] for arms in (cold, reptile, joint) for name in ADAPTED)
    probe, deep, *_, whole = (ADAPTED[i] for i in (0, 2, 4))
    return [
        Claim("clean signals: at least 95 %", Arm("rf_pretrain"), above=95),
        Claim("under a channel, unadapted: at most 40 %", lost, below=40),
        Claim(
            "every adapted arm: 10 points above unadapted", every[0], lost, also=every[1:], above=10
        ),
        Claim(f"{deep} are ahead of the {probe}, cold", cold[deep], cold[probe], asked=False),
        Claim(f"{deep}: Reptile is ahead of cold", reptile[deep], cold[deep], asked=False),
        Claim(
            f"{whole}, trained jointly, are ahead of Reptile's {deep}",
            joint[whole],
            reptile[deep],
            asked=False,
        ),
    ]


def _titans() -> list[Claim]:
    names = ("both", "delta", "Hebb + decay", "Hebb")
    chunks = ("both", *(f"both, chunks of {n}" for n in (4, 8, 16)))
    both, first = Arm("both"), Arm("both, first order")
    squares = Arm("both", {"init": "least_squares"})
    near = "first order is within 0.01 of the full gradient"
    return [
        *(
            Claim(f"{a} is below {b}, intervals apart", Arm(b), Arm(a), "loss", apart=True)
            for a, b in pairwise(names)
        ),
        Claim(near, first, both, "loss", above=-0.01, below=0.01),
        *(
            Claim(f"{b} is not better than {a}", Arm(b), Arm(a), "loss")
            for a, b in pairwise(chunks)
        ),
        Claim("least squares that forget are ahead of both", both, squares, "loss", asked=False),
    ]


def _focusft() -> list[Claim]:
    def arm(label: str, both: bool) -> Arm:
        return Arm(label, {"init": "trained", "model.bidirectional": both})

    plain, longer = "SFT", "SFT, 3 x the steps"
    one, tenth = "bilevel, eta 1", "bilevel, eta 0.1"
    told = "causal fine-tuning: at least 95 % in contexts of 32"
    found = [Claim(told, arm(plain, False), above=95)]
    for both, way in ((False, "causal"), (True, "both ways")):
        sft, few, more, long = (arm(name, both) for name in (plain, tenth, one, longer))
        found += [
            Claim(f"eta = 1 is below fine-tuning, 32 {way}", sft, more),
            Claim(f"eta = 0.1 is above fine-tuning, 32 {way}", few, sft, asked=False),
            Claim(f"eta = 0.1 is above fine-tuning, 64 {way}", few, sft, "far_acc", asked=False),
            Claim(f"3 x the steps are above eta = 0.1, 32 {way}", long, few, asked=False),
            Claim(
                f"3 x the steps are above eta = 0.1, 64 {way}", long, few, "far_acc", asked=False
            ),
        ]
    return found


def _harmony() -> list[Claim]:
    whole, own = Arm("homogeneous"), Arm("local extractors")
    mean, contrast = Arm("per-entry mean"), Arm("mean and contrast")
    found = []
    for metric, named in (("server_others", "others' classes"), ("cka", "CKA")):
        given = metric == "cka"  # that of one network is 1, whatever it has learned
        for parts in (mean, Arm("Reptile, eps 1 to 0"), contrast):
            told = f"one network is ahead of {parts.label}, {named}"
            told += " (by construction)" if given else ""
            found += [
                Claim(told, whole, parts, metric, asked=not given),
                Claim(f"{parts.label} is ahead of own networks, {named}", parts, own, metric),
            ]
    added, kept = (
        "contrast adds to the mean, others' classes",
        "own networks are ahead, own classes",
    )
    return [
        *found,
        Claim(added, contrast, mean, "server_others", asked=False),
        Claim(kept, own, mean, asked=False),
    ]


def _subjects() -> list[Claim]:
    found, chance, voxels = [], 100 / 64, "dataset.test_voxels"
    for shots in (10, 40):
        here = {"shots": shots, voxels: 64}
        told, untold = (Arm(f"in context {given}", here) for given in (True, False))
        ridge, weighted = (
            Arm(told.label, {**here, "init": init}) for init in ("ridge", "weighted_ridge")
        )
        where = f"{shots} pictures"
        found += [
            Claim(f"in context is ahead of plain ridge, {where}", told, ridge),
            Claim(f"without it guesses, {where}", untold, above=chance - 1, below=chance + 1),
            Claim(f"weighted ridge is ahead, {where}", weighted, told, asked=False),
        ]
    # `systems.run` tests these after the sweep; the ridge regressions beside what learns nothing.
    for shots, most, where in ((10, 24, ""), (200, 128, ", outside of the training range")):
        here = {"shots": shots, voxels: most}
        told = Arm("in context True", here)
        for init, named in (("ridge", "plain ridge"), ("weighted_ridge", "weighted ridge")):
            ahead = f"in context is ahead of {named}, {most} voxels, {shots} pictures{where}"
            found.append(Claim(ahead, told, Arm("no steps", {**here, "init": init}), asked=False))
    return found


CLAIMS: dict[str, list[Claim]] = {
    "hebbian": _hebbian(),
    "ifwi": _ifwi(),
    "rf_prompt": _rf_prompt(),
    "titans": _titans(),
    "focusft": _focusft(),
    "harmony": _harmony(),
    "subjects": _subjects(),
}
"""By system, which is the name of its sweep."""
