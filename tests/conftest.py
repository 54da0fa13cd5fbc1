"""Names the fixture files; nothing else."""

pytest_plugins = [
    "fix_example",
    "fix_postgres",
    "fix_store",
    "fix_simulator",
    "fix_tenants",
    "fix_platforms",
    "fix_guard",
    "fix_order",
]
