"""All SQL of the daemon, a file a subject; every write of a tenant's data carries its fence."""
