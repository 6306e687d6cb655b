"""The CRM object: short methods that join the helpers, so that Tab lists what there is."""

from zcrm_nb.client.crm import CRM
from zcrm_nb.client.jobs import Job

__all__ = ["CRM", "Job"]
