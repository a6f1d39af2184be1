"""Floor 4. Workloads, quantisation, accuracy, search, Pareto fronts, plots and the command line."""
