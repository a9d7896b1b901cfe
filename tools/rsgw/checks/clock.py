# Copyright (C) rs-gateway contributors
#
# Clocks: credentials and tokens end by them, so those of all hosts have to
# agree.  Which one is wrong is told by the others.

from . import check, fault, ok, warn

OFF_WARN_S, OFF_FAULT_S = 5, 60     # the plugin takes 60 s, its "skew"


def clocks(f):
    """Whose clock is how far from this host's, in seconds."""

    found = {"this host": 0.0}

    for u in f["store"]:
        if u["result"] == "ok" and u["server"]["clock"] is not None:
            found["Redis"] = u["server"]["clock"]

    for name, answer in (("the gateway", (f["gateway"] or {}).get("live")),
                         ("the TURN plugin",
                          (f["plugin"] or {}).get("health"))):
        if answer and answer.get("date") is not None:
            found[name] = answer["date"]

    return found


def _span(s):
    return f"{s / 60:.0f} min" if s >= 120 else f"{s:.0f} s"


@check("clock")
def agree(f):
    found = clocks(f)
    synchronised = f["host"]["synchronised"]
    values = sorted(found.values())
    right = values[(len(values) - 1) // 2]      # what most say
    far = {who: v - right for who, v in found.items()
           if abs(v - right) > OFF_WARN_S}

    if far:
        worst = max(abs(v) for v in far.values())
        text = ", ".join(f"{who} is {_span(abs(v))} "
                         f"{'ahead' if v > 0 else 'behind'}"
                         for who, v in sorted(far.items()))

        if len(found) == 2:
            text = (f"{' and '.join(found)} are {_span(worst)} apart")

        return (fault if worst >= OFF_FAULT_S else warn)(
            text, "timedatectl set-ntp true there: credentials and tokens "
            "end too early, or are refused as of another time")

    if synchronised is False:
        return warn("nothing keeps this host's clock right",
                    "apt install systemd-timesyncd, or chrony")

    return ok(f"{', '.join(found)} agree" if len(found) > 1
              else "nobody to compare it with")
