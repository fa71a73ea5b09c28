"""What people say of pictures, blind: pools to label, labels that nothing loses, the report. Import its modules."""
