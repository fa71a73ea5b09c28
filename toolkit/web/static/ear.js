// A symbol is to be judged: from any tab, before that of the judges was ever opened. Runs once, on the whole page.
window.addEventListener("that-are-not-ask", ({detail}) => {
  window.thatAreNot.asked = detail;  // for a tab that is drawn only now; one that is there hears it itself, next
  window.thatAreNot.open("Is it new?");
});
