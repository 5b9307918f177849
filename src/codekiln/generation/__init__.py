"""The main job: read a task, draft, check, select, repair, answer, and keep the record.

>>> read_task("Write add(a, b). add(1, 2) -> 3").entry_point
'add'
"""

from codekiln.generation.door import Generated, generate, generate_recorded
from codekiln.generation.events import Event, OnEvent
from codekiln.generation.options import Options
from codekiln.generation.records import find_record, read_records
from codekiln.generation.replay import Change, Replay, replay
from codekiln.generation.selection import Selection, select
from codekiln.generation.tasks import read_task, read_task_file

__all__ = [
    "Change",
    "Event",
    "Generated",
    "OnEvent",
    "Options",
    "Replay",
    "Selection",
    "find_record",
    "generate",
    "generate_recorded",
    "read_records",
    "read_task",
    "read_task_file",
    "replay",
    "select",
]
