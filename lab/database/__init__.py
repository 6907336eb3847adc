"""The database: engine, tables, and tensors stored as safetensors."""
