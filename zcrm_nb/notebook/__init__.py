"""What is shown in notebooks and terminals: widgets, their static twins, plots, magics."""
