"""Reading tasks: text in any of its forms becomes a core Task with parsed examples."""

from codekiln.generation.tasks.reader import read_task, read_task_file

__all__ = ["read_task", "read_task_file"]
