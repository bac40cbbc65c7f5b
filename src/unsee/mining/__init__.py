"""What a vision-language model hallucinates, found without labels: captions, object phrases, relevance, weighted
spans."""
