%%% @doc Result set management (XEP-0059): from a request to a page of the core, and back.
-module(twitter_rsm).

-include_lib("xmpp/include/xmpp.hrl").

-export([request/4, answer/2]).

%% What a client gets in one answer, when it names no number and at most.
-define(DEFAULT_PAGE, 50).
-define(MAX_PAGE, 1000).

%% @doc The page that a client asks for. Without a result set it is `Anchor', of at most `Max' posts.
-spec request(oldest_first | newest_first, undefined | rsm_set(),
              {first_page | last_page, Max :: undefined | non_neg_integer()},
              Lang :: binary()) -> twitter_nif:request().
request(Order, undefined, {Anchor, Max}, _Lang) ->
    {Order, Anchor, limit(Max)};
request(Order, #rsm_set{max = Limit} = Rsm, {_, Max}, Lang) ->
    {Order, anchor(Rsm, Lang), min(limit(Limit), limit(Max, ?MAX_PAGE))}.

anchor(#rsm_set{'after' = After, before = Before}, Lang)
  when is_binary(After), is_binary(Before) ->
    twitter_error:refuse(both_ways, Lang);
anchor(#rsm_set{before = <<>>}, _Lang) -> last_page;
anchor(#rsm_set{before = Before}, _Lang) when is_binary(Before) -> {before, Before};
anchor(#rsm_set{'after' = After}, _Lang) when is_binary(After) -> {'after', After};
anchor(#rsm_set{index = Index}, _Lang) when is_integer(Index) -> {index, min(Index, 16#ffffffff)};
anchor(#rsm_set{}, _Lang) -> first_page.

limit(Max) -> limit(Max, ?DEFAULT_PAGE).

limit(undefined, Default) -> Default;
limit(Max, _Default) -> min(Max, ?MAX_PAGE).

%% @doc What a page says of itself. A client that did not ask by result set is told only if there is
%% more than it got.
-spec answer(undefined | rsm_set(), twitter_nif:page()) -> undefined | rsm_set().
answer(undefined, {Posts, _First, _Last, _Index, Count}) when length(Posts) =:= Count ->
    undefined;
answer(_Asked, {[], _First, _Last, _Index, Count}) ->
    #rsm_set{count = Count};
answer(_Asked, {_Posts, First, Last, Index, Count}) ->
    #rsm_set{first = #rsm_first{index = Index, data = First}, last = Last, count = Count}.
