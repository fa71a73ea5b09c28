"""The papers' claims as numbers: runs before a judge, and a verdict on every claim. Import its modules."""
