"""Analyses of trained models: regions, maps of codes, and the inspection of industrial parts."""
