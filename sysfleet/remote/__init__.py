"""The only package that speaks SSH: sessions, what they prove, and the programs that run over them."""
