"""What tests share: guards, fixtures and parts that stand for the world. Holds no test."""
