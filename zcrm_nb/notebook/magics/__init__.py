"""The %coql and %%coql magics, and tab completion for COQL."""
