"""What the requests are about: names that the gateway is told at the start, and that good requests are given."""

APPLICATIONS = [f"seed-{number}" for number in range(6)]
PLANS = ["gold", "manual", "partner"]

# To be moved to another plan, a subscription needs one where there is none yet.
MOVING = APPLICATIONS[2:4]
# What can be done once is done to one of these.
WAITING = {step: [f"{step}-{number}" for number in range(8)] for step in ["accept", "reject"]}

# Who is subscribed to what.
SUBSCRIBED = {name: ["gold", "partner"] if name in MOVING else PLANS for name in APPLICATIONS}
SUBSCRIBED |= {name: ["manual"] for names in WAITING.values() for name in names}

# Whose API keys there are, how many, and where their ids are told, in the directory of the run.
KEYED = f"{APPLICATIONS[5]}:orders:partner"
KEYS = 10
KEYS_FILE = "keys.json"

# Plans that may be moved, by the step that they are for.
STEPS = {step: [f"{step}-{number}" for number in range(8)] for step in ["publish", "deprecate", "close"]}
