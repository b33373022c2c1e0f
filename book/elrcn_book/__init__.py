"""The book's own package: what its pages share, and what executes, seals and builds them."""
