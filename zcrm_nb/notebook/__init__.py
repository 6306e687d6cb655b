"""What a person sees in a notebook or a terminal: widgets, their static twins, plots, magics."""
