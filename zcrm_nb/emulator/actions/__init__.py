"""What is done to records besides reading and writing: cloned, locked, shared, sent by e-mail."""
