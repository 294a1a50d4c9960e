"""The clinical principles: their YAML, the encoder that reads them and the index that finds them."""
