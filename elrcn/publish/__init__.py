"""From notebooks to pages: papermill runner, receipts, book build, offline check."""
