# Runs Autobahn's fuzzing client; Python 2.7, as the suite is.
#
#     python2.7 fuzz.py PACKAGES URL FOLDER
#
# PACKAGES is where `pip install --target` put autobahntestsuite; reports go to FOLDER.
import json
import os
import site
import sys

packages, url, folder = sys.argv[1:]
site.addsitedir(packages)

from autobahntestsuite.wstest import run  # noqa: E402

spec = os.path.join(folder, "spec.json")
with open(spec, "w") as out:
    json.dump({
        "outdir": folder,
        "servers": [{"agent": "holdfast", "url": url, "options": {"version": 18}}],
        "cases": ["*"],
        "exclude-cases": ["12.*", "13.*"],
        "exclude-agent-cases": {},
    }, out)
sys.argv = ["wstest", "--mode", "fuzzingclient", "--spec", spec]
run()
