"""schemathesis over our OpenAPI: its settings, and how its cases are made to reach what lies behind the first check."""
