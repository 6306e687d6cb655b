"""The bulk APIs: jobs that export records into files and import them from files."""
