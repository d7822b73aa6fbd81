"""Time series: which measurements there are, which points a record or a verdict gives, how a point is written. Pure."""
