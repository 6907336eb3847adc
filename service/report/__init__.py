"""An experiment's report: from what was measured to one page."""
