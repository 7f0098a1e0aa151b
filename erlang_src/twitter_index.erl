%%% @doc The index of a pubsub host: who posted what and when, in memory, in the core. It is a cache
%%% of what is stored; a stream is loaded when it is first read.
-module(twitter_index).

-export([page/3, find/3, ids/2, refresh/4, forget/2]).

%% @doc One page of the merged streams of `Authors'.
-spec page(Host :: binary(), Authors :: [twitter_nif:jid()], twitter_nif:request()) ->
          {ok, twitter_nif:page()} | {error, bad_cursor}.
page(Host, Authors, Request) ->
    ask(Host, fun(Index) -> twitter_nif:page(Index, Authors, Request) end).

%% @doc The posts of `Authors' that have this id, newest first.
-spec find(Host :: binary(), Authors :: [twitter_nif:jid()], Id :: binary()) ->
          [{Author :: twitter_nif:jid(), Id :: binary()}].
find(Host, Authors, Id) ->
    {ok, Found} = ask(Host, fun(Index) -> twitter_nif:find(Index, Authors, Id) end),
    Found.

%% @doc The ids of all posts of an author, oldest first.
-spec ids(Host :: binary(), Author :: twitter_nif:jid()) -> [binary()].
ids(Host, Author) ->
    {ok, {Posts, _, _, _, _}} = page(Host, [Author], {oldest_first, first_page, 16#ffffffff}),
    [Id || {_, Id} <- Posts].

%% @doc A post was stored or deleted: the index takes what `Stamp' reads of it in storage. Several
%% processes may do so at once and overtake each other.
-spec refresh(Host :: binary(), Author :: twitter_nif:jid(), Id :: binary(),
              Stamp :: fun(() -> {ok, Micros :: non_neg_integer()} | none)) -> ok.
refresh(Host, Author, Id, Stamp) ->
    case twitter_service:find(Host) of
        {ok, #{index := Index}} -> offer(Index, Author, Id, Stamp);
        %% The plugin is being stopped; the next index starts empty.
        error -> ok
    end.

offer(Index, Author, Id, Stamp) ->
    Version = twitter_nif:version(Index, Author),
    Answer = case Stamp() of
                 {ok, Micros} -> twitter_nif:put(Index, Author, Version, Micros, Id);
                 none -> twitter_nif:remove(Index, Author, Version, Id)
             end,
    case Answer of
        taken -> ok;
        stale -> offer(Index, Author, Id, Stamp)
    end.

%% @doc An author's posts changed in some other way.
-spec forget(Host :: binary(), Author :: twitter_nif:jid()) -> ok.
forget(Host, Author) ->
    case twitter_service:find(Host) of
        {ok, #{index := Index}} -> twitter_nif:forget(Index, Author);
        error -> ok
    end.

ask(Host, Ask) ->
    {ok, #{index := Index}} = twitter_service:find(Host),
    case Ask(Index) of
        {error, {not_loaded, Authors}} ->
            lists:foreach(fun(Author) -> load(Host, Index, Author) end, Authors),
            ask(Host, Ask);
        Answer ->
            Answer
    end.

load(Host, Index, Author) ->
    Version = twitter_nif:version(Index, Author),
    case twitter_nif:load(Index, Author, Version, twitter_store:places(Host, Author)) of
        taken -> ok;
        stale -> load(Host, Index, Author)
    end.
