"""What any program needs: whole files, locks, strict reading, processes, workers, progress, words for print."""
