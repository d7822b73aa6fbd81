"""The charts of the report, drawn ahead as SVG: the one door to Matplotlib. Every figure comes from the view."""
