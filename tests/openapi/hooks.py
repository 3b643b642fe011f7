"""Makes good requests be about something that is there, so that they are taken and change something.

Left to itself, the generator asks for applications that nobody made. A bad request is left as it is.
"""

import json
import pathlib
import random

import schemathesis
from scene import APPLICATIONS, KEYS_FILE, MOVING, PLANS, STEPS, WAITING
from schemathesis import GenerationMode

MADE = random.Random(7)


def _made():
    return f"made-{MADE.randint(0, 40)}"


def _place(case):
    parameters, path = case.path_parameters, case.operation.path
    if "/applications/" in path:
        parameters["id"] = _made() if case.method == "DELETE" else MADE.choice(APPLICATIONS)
    elif "/subscriptions/" in path:
        step = path.rsplit("/", 1)[-1]
        # What has ended is good for nothing else, and what has moved is found under another name.
        own = WAITING.get(step) or {"close": APPLICATIONS[:2], "move": MOVING}.get(step, APPLICATIONS[4:])
        parameters["id"] = f"{MADE.choice(own)}:orders:{MADE.choice(['manual'] if step in WAITING else PLANS)}"
        if "/keys" in path:
            # A subscription has twenty good keys at most: what is renewed is another's than what is given out.
            parameters["id"] = f"{APPLICATIONS[4 if step == 'renew' else 5]}:orders:partner"
    elif "/keys/" in path:
        # What is revoked cannot be renewed, so few are.
        keys = json.loads(pathlib.Path(KEYS_FILE).read_text())
        parameters["id"] = MADE.choice(keys[:2] if path.endswith("/revoke") else keys)
    elif "/plans/" in path:
        # Those of `orders` are left alone: a closed plan would end what all else is about.
        parameters["api"] = "menu"
        step = path.rsplit("/", 1)[-1]
        parameters["plan"] = MADE.choice(STEPS.get(step, STEPS["close"]))


def _body(case):
    body, path = case.body, case.operation.path
    if path == "/v1/applications":
        body["id"] = MADE.choice([_made(), MADE.choice(APPLICATIONS)])
    elif path == "/v1/subscriptions":
        body.update(application=MADE.choice(APPLICATIONS[:2]), api="orders", plan=MADE.choice(PLANS))
    elif path.endswith("/move"):
        body["plan"] = MADE.choice(PLANS)
    elif path == "/v1/explain":
        # Only the words are checked by the description, not what they are the words of.
        body.update(url="/orders/1", method=MADE.choice(["GET", "POST"]), host="api.example.com", client_ip="192.0.2.1")
        body.update(headers=[{"name": "X-Api-Key", "value": f"key-{MADE.randint(0, 99)}"}])
    if "client_ids" in body:
        body["client_ids"] = [{"id": f"client-{MADE.randint(0, 100_000)}"} for _ in body["client_ids"]]


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE or MADE.random() < 0.2:
        return
    if case.path_parameters:
        _place(case)
    if isinstance(case.body, dict):
        _body(case)
    if "If-Match" in (case.headers or {}) and MADE.random() < 0.8:
        case.headers["If-Match"] = "*"
