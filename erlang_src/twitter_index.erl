%%% @doc The index of a pubsub host: who posted what and when, in memory, in the core. It is a cache
%%% of what is stored; a stream is loaded when it is first read.
-module(twitter_index).

-export([page/3, find/3, ids/2, refresh/4, forget/2]).

%% @doc One page of the merged streams of `Authors'.
-spec page(twitter_service:served(), Authors :: [twitter_nif:jid()], twitter_nif:request()) ->
          {ok, twitter_nif:page()} | {error, bad_cursor}.
page(#{index := Index} = Service, Authors, Request) ->
    loaded(Service, fun() -> twitter_nif:page(Index, Authors, Request) end).

%% @doc The posts of `Authors' that have one of these ids: in the order of the ids, and of posts that
%% share one the newest first.
-spec find(twitter_service:served(), Authors :: [twitter_nif:jid()], Ids :: [binary()]) ->
          [{Author :: twitter_nif:jid(), Id :: binary()}].
find(#{index := Index} = Service, Authors, Ids) ->
    {ok, Found} = loaded(Service, fun() -> twitter_nif:find(Index, Authors, Ids) end),
    Found.

%% @doc The ids of all posts of an author, oldest first.
-spec ids(twitter_service:served(), Author :: twitter_nif:jid()) -> [binary()].
ids(Service, Author) ->
    {ok, {Posts, _, _, _, _}} = page(Service, [Author], {oldest_first, first_page, 16#ffffffff}),
    [Id || {_, Id} <- Posts].

%% @doc A post was stored or deleted: the index takes what `Stamp' reads of it in storage.
-spec refresh(twitter_service:served(), Author :: twitter_nif:jid(), Id :: binary(),
              Stamp :: fun(() -> {ok, Micros :: non_neg_integer()} | none)) -> ok.
refresh(#{index := Index} = Service, Author, Id, Stamp) ->
    Version = twitter_nif:version(Index, Author),
    Answer = case Stamp() of
                 {ok, Micros} -> twitter_nif:put(Index, Author, Version, Micros, Id);
                 none -> twitter_nif:remove(Index, Author, Version, Id)
             end,
    case Answer of
        taken -> ok;
        stale -> refresh(Service, Author, Id, Stamp)
    end.

%% @doc An author's posts changed in some other way.
-spec forget(Host :: binary(), Author :: twitter_nif:jid()) -> ok.
forget(Host, Author) ->
    case twitter_service:find(Host) of
        {ok, #{index := Index}} -> twitter_nif:forget(Index, Author);
        %% The next index starts empty.
        error -> ok
    end.

loaded(Service, Ask) ->
    case Ask() of
        {error, {not_loaded, Authors}} ->
            lists:foreach(fun(Author) -> load(Service, Author) end, Authors),
            loaded(Service, Ask);
        Answer ->
            Answer
    end.

%% One reader loads for all, while the author does not write.
load(#{index := Index} = Service, Author) ->
    twitter_writer:run(
      Service, Author,
      fun() ->
              case twitter_nif:page(Index, [Author], {oldest_first, first_page, 0}) of
                  {ok, _} -> ok;
                  {error, {not_loaded, _}} -> offer(Service, Author)
              end
      end).

offer(#{host := Host, index := Index} = Service, Author) ->
    Version = twitter_nif:version(Index, Author),
    case twitter_nif:load(Index, Author, Version, twitter_store:places(Host, Author)) of
        taken -> ok;
        stale -> offer(Service, Author)
    end.
