%%% @doc What is heard of authors on other servers: it is recorded once for all readers here, shown to those for
%%% whom it was meant, and pushed to them as local posts are.
%%%
%%% A post comes either for the whole server, with an audience that the author's server has told before, or for
%%% one reader. Each recorded version has a number, and the core keeps for each reader which he may see: see
%%% {@link twitter_heard_store}. A version that is not newer than what is known changes nothing, but that it may
%%% be for one more reader.
%%%
%%% Whoever calls this has asked {@link twitter_trust}. Storage that fails ends these functions as it does those
%%% of {@link twitter_store}, and nothing is believed of the author's stream in memory any more.
-module(twitter_heard).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([audience/4, relay/3, single/3]).
-export([load/2, read/4, readers/3, forget_reader/2]).
-export_type([single/0]).

%% A post that was published so long before it arrived, in microseconds, is no news to a reader who was away
%% for a part of that time.
-define(NEWS, 60_000_000).
%% So many readers are looked at for one who knows the author.
-define(MAX_LOOKS, 10_000).

-type single() :: #{from := Service :: binary(), reader := twitter_nif:jid(),
                    changes := [twitter_relay:change() | unstamped()],
                    sent := twitter_unread:moment() | none}.
-type unstamped() :: {item, Id :: binary(), none, none, Payload :: [xmlel()]} | {retract, Id :: binary(), none}.
%% A server of another kind says nothing of times and versions.

%%% From other servers

%% @doc From now on what an author's server relays is for these readers. `not_taken' if nothing is known of the
%% author, and none of them wants to hear of him.
-spec audience(twitter_service:served(), twitter_nif:jid(), Digest :: binary(), [twitter_nif:jid()]) ->
          ok | not_taken.
audience(#{host := Host} = Service, Author, Digest, Readers) ->
    IsWanted = is_wanted(Author, lists:sublist(Readers, ?MAX_LOOKS)),
    writing(Service, Author,
            fun() ->
                    case twitter_heard_store:open(Host, Author) of
                        #{nidx := none} when Readers =:= [] -> ok;
                        #{nidx := none} when not IsWanted -> not_taken;
                        Stream -> assume(Service, twitter_heard_store:create(Stream), Digest, Readers)
                    end
            end).

is_wanted(Author, Readers) ->
    Jid = twitter_roster:bare(Author),
    lists:any(fun(Reader) -> twitter_roster:sees(twitter_roster:bare(Reader), Jid) end, Readers).

assume(Service, #{audience := Audience} = Stream, Digest, Readers) ->
    case is_in_force(Digest, Stream) of
        true ->
            ok;
        false ->
            Before = twitter_heard_store:buckets(Stream),
            {Assumed, Changed} = twitter_nif:audience_assume(Audience, Before, Digest, Readers),
            _ = twitter_heard_store:rewrite(Stream, Changed, Stream#{audience := Assumed}),
            rows_changed(Service, Stream, Changed)
    end.

is_in_force(Digest, #{audience := Audience}) ->
    twitter_nif:audience_is_open(Audience) andalso twitter_nif:audience_digest(Audience) =:= Digest.

%% @doc Records what an author's server tells for all his readers here; `unknown_audience' if it must say first
%% who they are.
-spec relay(twitter_service:served(), From :: binary(), twitter_relay:relay()) ->
          recorded | {missed, Since :: twitter_unread:moment() | none} | unknown_audience.
relay(#{host := Host} = Service, From, #{author := Author, audience := Digest, sent := Sent} = Relay) ->
    #{changes := Changes, quiet := IsQuiet} = Relay,
    writing(Service, Author,
            fun() ->
                    Stream = twitter_heard_store:open(Host, Author),
                    case {Stream, is_in_force(Digest, Stream), twitter_relay:digest([])} of
                        {_, true, _} ->
                            About = about(Service, From, relay, Sent),
                            _ = changed(Changes, About#{is_quiet := IsQuiet}, Stream),
                            missed(Relay, Stream);
                        {#{nidx := none}, false, Digest} ->
                            recorded;
                        _ ->
                            unknown_audience
                    end
            end).

%% What the stream lacked before this.
missed(#{'after' := After}, #{newest := Newest}) when Newest =:= none; Newest < After -> {missed, Newest};
missed(_Relay, _Stream) -> recorded.

%% @doc Records what an author's server tells for one reader, who is entitled to it.
-spec single(twitter_service:served(), twitter_nif:jid(), single()) -> ok.
single(#{host := Host} = Service, Author, #{from := From, reader := Reader, changes := Changes, sent := Sent}) ->
    writing(Service, Author,
            fun() ->
                    %% Not for one whose account is being deleted: what he may see would be left.
                    #jid{luser = LUser, lserver = LServer} = twitter_roster:bare(Reader),
                    _ = [changed(Changes, about(Service, From, {single, Reader}, Sent),
                                 twitter_heard_store:create(twitter_heard_store:open(Host, Author)))
                         || ejabberd_auth:user_exists(LUser, LServer)],
                    ok
            end).

about(Service, From, Whom, Sent) ->
    #{service => Service, from => From, whom => Whom, sent => Sent, received => twitter_unread:moment(),
      is_quiet => false}.

%%% Changes, in the author's writer

writing(Service, Author, Write) ->
    Result = in_writer(Service, Author, Write),
    ok = synced(Service),
    Result.

in_writer(#{host := Host} = Service, Author, Write) ->
    ok = twitter_storage:check(Host),
    twitter_writer:run(Service, Author,
                       fun() ->
                               try
                                   Write()
                               catch
                                   Class:Reason:Stacktrace ->
                                       %% Nobody knows how far it came.
                                       ok = twitter_index:forget(Host, Author),
                                       erlang:raise(Class, Reason, Stacktrace)
                               end
                       end).

synced(#{host := Host}) ->
    case twitter_store:sync(Host) of
        ok -> ok;
        {error, Error} -> throw({refused, Error})
    end.

changed(Changes, About, Stream) ->
    pruned(About, lists:foldl(fun(Change, Before) -> change(Change, About, Before) end, Stream, Changes)).

change({item, Id, Published, Version, Payload}, About, Stream) ->
    case judged(Id, Version, Payload, About, Stream) of
        new -> record(Id, {Published, Version}, Payload, none, About, Stream);
        {edit, Before} -> record(Id, {Published, Version}, Payload, Before, About, Stream);
        {same, Post} -> same(Post, About, Stream);
        known -> Stream
    end;
change({retract, Id, Version}, About, Stream) ->
    Gone = twitter_heard_store:gone(Stream, Id),
    case twitter_heard_store:post(Stream, Id) of
        {ok, #{version := Stored} = Post} when Version =:= none; Version > Stored ->
            retract(Post, later(Version, Stored), About, Stream);
        none when Version =:= none, Gone =/= none; Gone =/= none, Version =< Gone ->
            Stream;
        none ->
            note_gone(Id, later(Version, 0), About, Stream);
        {ok, _} ->
            Stream
    end;
change({purge, Version}, #{sent := Sent} = About, #{floor := {Floor, FloorSent}} = Stream)
  when Version > Floor; Sent > FloorSent ->
    purge(Version, About, Stream#{floor := {max(Version, Floor), max(Sent, FloorSent)}});
change({purge, _Version}, _About, Stream) ->
    Stream.

later(none, Stored) -> Stored;
later(Version, _Stored) -> Version.

%% Without a version what is different is newer, and what was retracted stays so.
judged(Id, none, Payload, _About, Stream) ->
    case twitter_heard_store:post(Stream, Id) of
        {ok, #{payload := Payload} = Post} ->
            {same, Post};
        {ok, Post} ->
            {edit, Post};
        none ->
            case twitter_heard_store:gone(Stream, Id) of
                none -> new;
                _ -> known
            end
    end;
judged(Id, Version, _Payload, #{sent := Sent}, #{floor := {Floor, FloorSent}} = Stream) ->
    case twitter_heard_store:post(Stream, Id) of
        {ok, #{version := Version} = Post} ->
            {same, Post};
        {ok, #{version := Stored} = Post} when Version > Stored ->
            {edit, Post};
        {ok, _} ->
            known;
        none when Version =< Floor, Sent < FloorSent ->
            known;
        none ->
            case twitter_heard_store:gone(Stream, Id) of
                Gone when is_integer(Gone), Version =< Gone -> known;
                _ -> new
            end
    end.

record(Id, {Published, Version}, Payload, Before, About, Stream) ->
    #{service := Service, from := From, whom := Whom, sent := Sent, received := Received} = About,
    Began = twitter_writer:stores(),
    {Seq, Numbered, Sealed} = next(Whom, Stream),
    At = case Before of
             #{at := Place} -> Place;
             none -> twitter_store:timestamp(twitter_nif:place_at(known(Published), known(Sent), Received))
         end,
    Post = #{id => Id, at => At, seq => Seq, version => stored_version(Version, Before), from => From,
             payload => Payload},
    %% Who may see the number is known before there is something to be seen.
    Noted = counted(Before, heard(Version, Numbered)),
    ok = twitter_heard_store:save(Noted),
    Admitted = admit(Whom, Seq, Noted),
    ok = twitter_heard_store:put_post(Noted, Post),
    ok = put(Service, Noted, Post, maps:to_list(maps:merge(maps:from_list(Sealed), maps:from_list(Admitted)))),
    ok = push(About, Noted, {item, Id, Payload}, {Began, news(Before, At, Received)}, readers_of(Whom, Seq)),
    Noted.

known(none) -> undefined;
known(Moment) -> Moment.

stored_version(none, #{version := Stored}) -> Stored;
stored_version(none, none) -> 0;
stored_version(Version, _Before) -> Version.

counted(none, #{posts := Posts} = Stream) -> Stream#{posts := Posts + 1};
counted(_Before, Stream) -> Stream.

heard(Version, #{newest := Newest} = Stream) when is_integer(Version), Newest =:= none;
                                                  is_integer(Version), Version > Newest ->
    Stream#{newest := Version};
heard(_Version, Stream) ->
    Stream.

next(relay, #{audience := Audience} = Stream) ->
    {Seq, Next} = twitter_nif:audience_next(Audience, relay),
    {Seq, Stream#{audience := Next}, []};
next({single, _}, #{audience := Audience} = Stream) ->
    case twitter_nif:audience_next(Audience, single) of
        {error, open} ->
            %% What is for one reader must not be seen by those who see all that is relayed.
            {Sealed, Changed} = twitter_nif:audience_seal(Audience, twitter_heard_store:buckets(Stream)),
            Closed = twitter_heard_store:rewrite(Stream, Changed, Stream#{audience := Sealed}),
            {Seq, Next} = twitter_nif:audience_next(Sealed, single),
            {Seq, Closed#{audience := Next}, Changed};
        {Seq, Next} ->
            {Seq, Stream#{audience := Next}, []}
    end.

admit(relay, _Seq, _Stream) ->
    [];
admit({single, Reader}, Seq, Stream) ->
    Number = twitter_nif:audience_bucket(Reader),
    Rows = twitter_nif:audience_admit(twitter_heard_store:bucket(Stream, Number), Reader, Seq),
    ok = twitter_heard_store:put_bucket(Stream, {Number, Rows}),
    [{Number, Rows}].

readers_of(relay, Seq) -> {seq, Seq};
readers_of({single, Reader}, _Seq) -> [Reader].

%% What is recorded may be for one more reader.
same(_Post, #{whom := relay}, Stream) ->
    Stream;
same(#{seq := Seq} = Post, #{whom := {single, Reader} = Whom} = About, Stream) ->
    case is_admitted(Reader, Seq, Stream) of
        true ->
            Stream;
        false ->
            #{service := Service, received := Received} = About,
            #{id := Id, at := At, payload := Payload} = Post,
            Began = twitter_writer:stores(),
            ok = rows_changed(Service, Stream, admit(Whom, Seq, Stream)),
            ok = push(About, Stream, {item, Id, Payload}, {Began, news(none, At, Received)}, [Reader]),
            Stream
    end.

is_admitted(Reader, Seq, Stream) ->
    Number = twitter_nif:audience_bucket(Reader),
    Bucket = {Number, twitter_heard_store:bucket(Stream, Number)},
    lists:member(Reader, twitter_nif:audience_readers([Bucket], Seq)).

retract(#{id := Id, seq := Seq}, Version, #{service := Service, sent := Sent} = About, Stream) ->
    #{posts := Posts} = Noted = noted_gone(Id, Version, Sent, Stream),
    Less = Noted#{posts := max(0, Posts - 1)},
    ok = twitter_heard_store:save(Less),
    ok = twitter_heard_store:delete_post(Less, Id),
    ok = remove(Service, Less, Id),
    ok = push(About, Less, {retract, [Id]}, {twitter_unread:moment(), none}, {seq, Seq}),
    Less.

note_gone(Id, Version, #{sent := Sent}, Stream) ->
    Noted = noted_gone(Id, Version, Sent, Stream),
    ok = twitter_heard_store:save(Noted),
    Noted.

noted_gone(Id, Version, none, Stream) -> noted_gone(Id, Version, 0, Stream);
noted_gone(Id, Version, Sent, Stream) -> heard(Version, twitter_heard_store:put_gone(Stream, Id, Version, Sent)).

purge(Version, #{service := Service} = About, #{posts := Posts} = Stream) ->
    Gone = [Post || #{version := Stored} = Post <- twitter_heard_store:posts(Stream), Stored =< Version],
    Less = heard(Version, Stream#{posts := max(0, Posts - length(Gone))}),
    ok = twitter_heard_store:save(Less),
    lists:foreach(fun(#{id := Id}) -> ok = twitter_heard_store:delete_post(Less, Id) end, Gone),
    ok = forget(Service, Less),
    lists:foreach(fun(#{id := Id, seq := Seq}) ->
                          ok = push(About, Less, {retract, [Id]}, {twitter_unread:moment(), none}, {seq, Seq})
                  end, Gone),
    Less.

%% Not at each post: all have to be read for it.
pruned(#{service := #{server_host := ServerHost} = Service}, #{posts := Posts} = Stream) ->
    case mod_twitter_opt:max_posts(ServerHost) of
        Max when is_integer(Max), Posts > Max + Max div 20 ->
            All = lists:sort(fun(#{seq := One}, #{seq := Other}) -> One >= Other end,
                             twitter_heard_store:posts(Stream)),
            Oldest = lists:nthtail(min(Max, length(All)), All),
            lists:foreach(fun(#{id := Id}) -> ok = twitter_heard_store:delete_post(Stream, Id) end, Oldest),
            Less = Stream#{posts := length(All) - length(Oldest)},
            ok = twitter_heard_store:save(Less),
            ok = forget(Service, Less),
            Less;
        _ ->
            Stream
    end.

%% Whether a post counts as posted at its place, or as one that comes late.
news(none, At, Received) ->
    case twitter_store:micros(At) of
        Place when Received - Place =< ?NEWS -> Place;
        _ -> none
    end;
news(_Edited, _At, _Received) ->
    none.

push(#{is_quiet := true}, _Stream, _What, _Times, _Readers) ->
    ok;
push(#{service := Service, from := From}, #{author := Author}, What, Times, Readers) ->
    twitter_fanout:heard(Service, Author, From, What, Times, Readers).

%%% The index

put(#{index := Index} = Service, #{author := Author}, #{id := Id, at := At, seq := Seq} = Post, Changed) ->
    Stored = twitter_index:encode((maps:with([id, at, payload, from], Post))#{author => Author}),
    Place = {twitter_store:micros(At), Id, Seq},
    ok = offer(Index, Author,
               fun(Version) -> twitter_nif:put_heard(Index, Author, Version, Place, Stored, Changed) end),
    tell(Service, Author).

rows_changed(#{index := Index} = Service, #{author := Author}, Changed) ->
    ok = offer(Index, Author, fun(Version) -> twitter_nif:set_heard(Index, Author, Version, Changed) end),
    tell(Service, Author).

remove(#{index := Index} = Service, #{author := Author}, Id) ->
    ok = offer(Index, Author, fun(Version) -> twitter_nif:remove(Index, Author, Version, Id) end),
    tell(Service, Author).

forget(#{host := Host}, #{author := Author}) ->
    twitter_index:forget(Host, Author).

%% Other nodes read it again: posts and for whom they are, as they fit together.
tell(#{host := Host, server_host := ServerHost}, Author) ->
    twitter_cluster:tell(ServerHost, {Host, Author}, {index, Host, Author, forget}).

offer(Index, Author, Offer) ->
    case Offer(twitter_nif:version(Index, Author)) of
        taken -> ok;
        stale -> offer(Index, Author, Offer)
    end.

%% @doc All places in an author's stream, with their numbers, and who may see which. To be called in the author's
%% {@link twitter_writer}.
-spec load(Host :: binary(), twitter_nif:jid()) ->
          {[{Micros :: non_neg_integer(), Id :: binary(), Seq :: pos_integer()}], twitter_heard_store:buckets()}.
load(Host, Author) ->
    Stream = twitter_heard_store:open(Host, Author),
    {[{twitter_store:micros(At), Id, Seq} || #{at := At, id := Id, seq := Seq} <- twitter_heard_store:posts(Stream)],
     twitter_heard_store:buckets(Stream)}.

%% @doc Some posts of an author, of those that the reader may see. What was found in the index may have changed
%% since, and the new version may not be for him: so storage is asked for both, while nobody writes there. `Keep'
%% gets what was read before anybody can write.
-spec read(twitter_service:served(), {twitter_nif:jid(), Reader :: twitter_nif:jid()}, Ids :: [binary()],
           Keep :: fun(([twitter_store:post()]) -> ok)) -> [twitter_store:post()].
read(#{host := Host} = Service, {Author, Reader}, Ids, Keep) ->
    twitter_writer:run(
      Service, Author,
      fun() ->
              Stream = twitter_heard_store:open(Host, Author),
              Posts = [(maps:with([id, at, payload, from], Post))#{author => Author}
                       || Id <- Ids, {ok, #{seq := Seq} = Post} <- [twitter_heard_store:post(Stream, Id)],
                          is_admitted(Reader, Seq, Stream)],
              ok = Keep(Posts),
              Posts
      end).

%% @doc Who may see what was recorded under a number, now.
-spec readers(Host :: binary(), twitter_nif:jid(), Seq :: pos_integer()) -> [twitter_nif:jid()].
readers(Host, Author, Seq) ->
    twitter_heard_store:readers(Host, Author, Seq).

%%% Accounts

%% @doc The account of a reader was deleted: who gets that name later may see nothing of what was for him.
-spec forget_reader(twitter_service:served(), Reader :: twitter_nif:jid()) -> ok.
forget_reader(#{host := Host} = Service, Reader) ->
    lists:foreach(fun(Author) -> dismiss(Service, Author, Reader) end, twitter_heard_store:authors(Host)),
    synced(Service).

dismiss(#{host := Host} = Service, Author, Reader) ->
    in_writer(
      Service, Author,
      fun() ->
              #{audience := Audience} = Stream = twitter_heard_store:open(Host, Author),
              Number = twitter_nif:audience_bucket(Reader),
              Before = twitter_heard_store:bucket(Stream, Number),
              case twitter_nif:audience_dismiss(Before, Reader) of
                  Before ->
                      ok;
                  Rows ->
                      %% The author's server thinks that he is still among the audience: it has to tell
                      %% that anew, or nobody of that name would ever be.
                      Buckets = lists:keystore(Number, 1, twitter_heard_store:buckets(Stream), {Number, Rows}),
                      {Sealed, Closed} = twitter_nif:audience_seal(Audience, Buckets),
                      Changed = lists:ukeymerge(1, lists:keysort(1, Closed), [{Number, Rows}]),
                      _ = twitter_heard_store:rewrite(Stream, Changed, Stream#{audience := Sealed}),
                      rows_changed(Service, Stream, Changed)
              end
      end).
