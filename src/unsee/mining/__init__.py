"""What a vision-language model invents, found without labels: captions, object phrases, relevance, weighted spans."""
