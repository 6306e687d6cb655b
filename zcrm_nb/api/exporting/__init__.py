"""Bulk Read: jobs that outlive the kernel, their files, and what they do not bring."""
