from drum2midi.cli import main

main()
