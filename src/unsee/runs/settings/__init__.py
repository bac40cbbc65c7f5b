"""The description of a run: what is unlearned from which model, how, and where the outcome goes.

The same keys serve the command line (`--set key=value`), a YAML file and Python. Unknown keys are errors that name
the nearest valid one. A run folder's `run.yaml` holds the resolved settings and can be run again. Relative paths in a
YAML file start at its folder, those of flags and of Python where one stands.
"""

from unsee.runs.settings.groups import L1 as L1
from unsee.runs.settings.groups import Guard as Guard
from unsee.runs.settings.groups import Lora as Lora
from unsee.runs.settings.groups import Stop as Stop
from unsee.runs.settings.model import DEFAULT_METHOD as DEFAULT_METHOD
from unsee.runs.settings.model import EPOCHS as EPOCHS
from unsee.runs.settings.model import LEAST_STEPS as LEAST_STEPS
from unsee.runs.settings.model import LORA_RATE as LORA_RATE
from unsee.runs.settings.model import PROBES as PROBES
from unsee.runs.settings.model import SOURCES as SOURCES
from unsee.runs.settings.model import STOP_EPOCHS as STOP_EPOCHS
from unsee.runs.settings.model import STOP_STEPS as STOP_STEPS
from unsee.runs.settings.model import WHOLE_RATE as WHOLE_RATE
from unsee.runs.settings.model import Settings as Settings
from unsee.runs.settings.reading import kept_card as kept_card
from unsee.runs.settings.reading import parse as parse
from unsee.runs.settings.reading import read_yaml as read_yaml
from unsee.runs.settings.reading import with_assignments as with_assignments
