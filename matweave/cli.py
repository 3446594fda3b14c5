"""placeholder"""

def main():
    print("matweave")
