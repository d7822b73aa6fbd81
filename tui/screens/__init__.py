"""One file a screen. A screen hands the view to its widgets and acts on keys; it computes nothing."""
