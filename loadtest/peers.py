"""Other proxies beside which the gateway is put: those that are installed, each in its best fair configuration.

Fair means: one worker, the same upstream with connections kept alive, no access log, and where a proxy verifies tokens,
the same checks as the gateway's plan: algorithm, issuer, audience, times, signature, and a claim handed to the upstream.
None of them knows applications and subscriptions. `make peers` installs them.
"""

import json
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent

# What each is called on the command line, and whether it verifies tokens.
PEERS = {"haproxy": True, "nginx": False, "envoy": True, "envoy-cache": True}

# Tokens that Envoy keeps, where it keeps any; it needs about 7 KiB for one.
ENVOY_CACHE = {"jwt_cache_size": 20_000, "jwt_max_token_size": 8192}


class Missing(Exception):
    """A peer that is not installed."""


def verifies(name):
    return PEERS.get(name, True)


def executable(name):
    if name.startswith("envoy"):
        # The wheel's own command starts another process, whose CPU time would not be counted.
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
        found = sorted((target / "peers").glob("lib/python*/site-packages/envoy/_bin/envoy"))
        found = str(found[0]) if found else None
    else:
        found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if not found:
        raise Missing(f"{name} is not installed: make peers")
    return found


def version(name):
    flag = "-v" if name in ("haproxy", "nginx") else "--version"
    done = subprocess.run([executable(name), flag], capture_output=True, text=True, timeout=20)
    return next((line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()), "")


def command(name, listen, upstream, algorithm, settings, directory):
    """Writes the peer's configuration and returns what starts it in the foreground."""
    host, port = listen.rsplit(":", 1)
    upstream_host, upstream_port = upstream.rsplit(":", 1)
    values = {
        "LISTEN": listen, "LISTEN_HOST": host, "LISTEN_PORT": port,
        "UPSTREAM": upstream, "UPSTREAM_HOST": upstream_host, "UPSTREAM_PORT": upstream_port,
        "DIRECTORY": str(directory), "ALGORITHM": algorithm or "", "ISSUER": settings["issuer"],
        "AUDIENCE": settings["audience"], "PUBLIC_KEY": str(directory / "public.pem"),
    }
    if name == "haproxy":
        values["VERIFY"] = filled("haproxy-jwt.cfg", values) if algorithm else ""
        path = written(directory / "haproxy.cfg", filled("haproxy.cfg", values))
        return [executable(name), "-db", "-f", path]
    if name == "nginx":
        path = written(directory / "nginx.conf", filled("nginx.conf", values))
        return [executable(name), "-e", "stderr", "-p", directory, "-c", path]
    values["CACHE"] = json.dumps(ENVOY_CACHE if name == "envoy-cache" else {})
    if algorithm:
        values["JWKS"] = json.dumps(settings["jwks"])[1:-1]
    values["JWT"] = filled("envoy-jwt.json", values) if algorithm else ""
    text = filled("envoy.json", values)
    if name != "envoy-cache":
        text = text.replace(',\n                "jwt_cache_config": {}', "")
    path = written(directory / f"{name}.json", text)
    return [executable(name), "--config-path", path, "--concurrency", "1", "--log-level", "error",
            "--disable-hot-restart"]


def filled(template, values):
    text = (HERE / "peers" / template).read_text()
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def written(path, text):
    path.write_text(text)
    return path
