"""What must hold whatever clients, upstreams and signals do: each claim a command, all of them one page."""
