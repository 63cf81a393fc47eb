"""The agent "calibrates" right before it scores."""

import datetime
import json
from pathlib import Path

now = datetime.datetime.now(datetime.timezone.utc).isoformat()
Path("solution/calibration.json").write_text(json.dumps({"measured_at": now, "bytes_per_s": 1.1e10}))
