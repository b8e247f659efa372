"""The only place that starts processes, reads clocks and touches /proc, /sys and cgroups."""
