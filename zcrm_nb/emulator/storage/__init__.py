"""What the org holds, and where: modules and fields, records, the recycle bin, stored values."""
