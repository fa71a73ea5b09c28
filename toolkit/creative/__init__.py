"""The study of the creative decoder: its trained decoders, Table 1, and what lies beyond it. Import its modules."""
