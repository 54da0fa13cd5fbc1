"""Pulls sensor readings from IoT clouds into your own Postgres."""
